/** The plugins. Each does nothing on a server that is not the hub's. */

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, type MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Token } from '@lumino/coreutils';
import { Api } from './api';
import { addCommands, CommandIDs, compareJobs, openJob, openSchedules, type Parts } from './commands';
import { labTransport } from './labtransport';
import { HubModel } from './model';
import { Notifier } from './notifier';
import { Panel } from './panel';
import { StatusItem } from './statusview';
import { Warner } from './warner';

const NAMESPACE = '@aifactory/hub';
const PLUGIN = `${NAMESPACE}:plugin`;
const DOMAIN = 'aifactory_hub';
/** What this server's part of the extension emits; `aifactory_hub/lab/nearby.py` knows the same name. */
const JOBS_CHANGED = 'https://events.aifactory-hub.example/jobs-changed/v1';
/** Milliseconds, until the settings have been read. */
const BUSY = 5_000;

/** The last that was heard of the hub; null on a server that is not a hub's. */
export interface IHub {
  readonly model: HubModel | null;
}

export const IHub = new Token<IHub>(`${NAMESPACE}:IHub`, "The team's quota and jobs, as last heard.");

const hub: JupyterFrontEndPlugin<IHub> = {
  id: `${NAMESPACE}:hub`,
  description: 'Asks for the quota and the jobs',
  autoStart: true,
  provides: IHub,
  activate: (app: JupyterFrontEnd): IHub => {
    if (PageConfig.getOption('aifactoryHub') === '') {
      console.info(
        'AI Factory: this server was not started by a hub with the job service, so its panel is off.'
      );
      return { model: null };
    }
    const model = new HubModel(new Api(labTransport(app.serviceManager.serverSettings)), {
      busyInterval: BUSY
    });
    // Not before the page is there: nobody waits for this.
    void app.restored.then(() => model.start());
    // Cells and terminals say so when they have submitted a job.
    app.serviceManager.events.stream.connect((_, event) => {
      if (event.schema_id === JOBS_CHANGED && !document.hidden) {
        void model.refresh();
      }
    });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) {
        void model.refresh();
      }
    });
    return { model };
  }
};

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'The side bar, the form, the jobs',
  autoStart: true,
  requires: [IHub],
  optional: [
    ITranslator,
    ISettingRegistry,
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    IDocumentManager,
    INotebookTracker,
    IFileBrowserFactory,
    IDefaultFileBrowser,
    IStateDB,
    ILabShell
  ],
  activate: (
    app: JupyterFrontEnd,
    { model }: IHub,
    translator: ITranslator | null,
    settings: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    documents: IDocumentManager | null,
    notebooks: INotebookTracker | null,
    browsers: IFileBrowserFactory | null,
    browser: IDefaultFileBrowser | null,
    state: IStateDB | null,
    lab: ILabShell | null
  ) => {
    if (model === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load(DOMAIN);
    const jobs = new WidgetTracker<MainAreaWidget>({ namespace: 'aifactory-hub-jobs' });
    let profile = '';
    const parts: Parts = {
      app,
      model,
      trans,
      jobs,
      documents,
      notebooks,
      browsers,
      browser,
      palette,
      launcher,
      lab,
      defaultProfile: () => profile
    };
    const open = (job: { readonly id: string }) => {
      openJob(parts, job.id);
    };
    const compare = (listed: readonly { readonly id: string }[]) => {
      void compareJobs(parts, { ids: listed.map(job => job.id) });
    };
    const panel = new Panel({ model, trans, open, compare, showSchedules: () => void openSchedules(parts) });
    app.shell.add(panel, 'left', { rank: 400, type: 'AI Factory' });
    addCommands(parts, panel.id);
    restorer?.add(panel, panel.id);
    void restorer?.restore(jobs, {
      command: CommandIDs.job,
      args: tab => ({ id: tab.id.replace('aifactory-hub-job-', '') }),
      name: tab => tab.id
    });
    new Warner(model, trans);
    const notifier = new Notifier({ model, trans, state, open });
    const read = (loaded: ISettingRegistry.ISettings) => {
      model.busyInterval = Number(loaded.composite.pollInterval ?? BUSY / 1000) * 1000;
      notifier.enabled = loaded.composite.notifications !== false;
      profile = typeof loaded.composite.defaultProfile === 'string' ? loaded.composite.defaultProfile : '';
    };
    settings
      ?.load(PLUGIN)
      .then(loaded => {
        read(loaded);
        loaded.changed.connect(read);
      })
      .catch((error: unknown) => {
        console.warn('AI Factory: its settings could not be read, so it uses its own.', error);
      });
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: `${NAMESPACE}:status`,
  description: 'Profile, memory, cost and idle stop in the status bar',
  autoStart: true,
  requires: [IHub],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    { model }: IHub,
    bar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    if (model !== null && bar !== null) {
      const trans = (translator ?? nullTranslator).load(DOMAIN);
      const show = () => void app.commands.execute(CommandIDs.panel);
      bar.registerStatusItem(`${NAMESPACE}:status`, {
        align: 'left',
        rank: 40,
        // JupyterLab hides the others in a narrow window: the word before a stop is for there, too.
        priority: 1,
        item: new StatusItem({ model, trans, show })
      });
    }
  }
};

export default [hub, plugin, status];
