/** The commands: open the panel, a job, a form. */

import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import {
  type ICommandPalette,
  type MainAreaWidget,
  Notification,
  type WidgetTracker
} from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IDefaultFileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { ILauncher } from '@jupyterlab/launcher';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { factoryIcon, sendIcon } from './icons';
import { makeJobTab } from './jobtab';
import { MOST_RUNS, type Runs } from './api';
import type { HubModel } from './model';
import type { Start } from './submitview';
import type { Job } from './types';
import type { Widget } from '@lumino/widgets';
import { startFrom } from './again';
import { momentIn } from './format';
import { printable } from './printable';

export namespace CommandIDs {
  export const panel = 'aifactory-hub:show-panel';
  export const job = 'aifactory-hub:show-job';
  export const submit = 'aifactory-hub:submit';
  export const schedules = 'aifactory-hub:show-schedules';
  export const submitSelected = 'aifactory-hub:submit-selected';
}

export interface Parts {
  readonly app: JupyterFrontEnd;
  readonly model: HubModel;
  readonly trans: TranslationBundle;
  readonly jobs: WidgetTracker<MainAreaWidget>;
  readonly documents: IDocumentManager | null;
  readonly notebooks: INotebookTracker | null;
  readonly browsers: IFileBrowserFactory | null;
  readonly browser: IDefaultFileBrowser | null;
  readonly palette: ICommandPalette | null;
  readonly launcher: ILauncher | null;
  /** Null in Notebook 7, which has no room for tabs. */
  readonly lab: ILabShell | null;
  readonly defaultProfile: () => string;
}

/** Pixels. On a narrower page the side bar and a tab have no room beside each other. */
const NARROW = 640;

/** Show a tab of ours; where there are no tabs, beside what is open. */
function show({ app, lab }: Parts, tab: Widget, fresh: boolean): void {
  if (fresh) {
    app.shell.add(tab, lab === null ? 'right' : 'main', { type: 'AI Factory' });
  }
  app.shell.activateById(tab.id);
  if (lab !== null && lab.node.clientWidth < NARROW) {
    lab.collapseLeft();
  }
}

/** What of the file browser can run as a job. */
export function canRun(item: { readonly path: string; readonly type: string }): boolean {
  return item.type === 'directory' || /\.(ipynb|py|sh)$/.test(item.path);
}

export function openJob(parts: Parts, id: string): void {
  const { model, trans, jobs, documents } = parts;
  const known = jobs.find(tab => tab.id === `aifactory-hub-job-${id}`);
  const tab =
    known ??
    makeJobTab({
      model,
      trans,
      id,
      openFile: path => {
        documents?.openOrReveal(path);
      },
      openJob: (job: Job) => {
        openJob(parts, job.id);
      },
      compareSweep: sweep => {
        void compareJobs(parts, { sweep });
      },
      submitAgain: (job: Job, path: string) => {
        void openForm(parts, path, startFrom(job));
      }
    });
  if (known === undefined) {
    void jobs.add(tab);
  }
  show(parts, tab, known === undefined);
}

/** Jobs beside each other, the newest ones where there are more than one answer has. Its code comes when asked for. */
export async function compareJobs(parts: Parts, asked: Runs): Promise<void> {
  const { makeRunsTab, runsTabId } = await import('./runsview');
  const { model, trans } = parts;
  const which = 'ids' in asked ? { ids: asked.ids.slice(0, MOST_RUNS) } : asked;
  const id = runsTabId(which);
  const known = opened(parts, id);
  if (known !== null) {
    show(parts, known, false);
    return;
  }
  const tab = makeRunsTab({
    model,
    trans,
    which,
    openJob: job => {
      openJob(parts, job.id);
    }
  });
  show(parts, tab, true);
}

/** All schedules of the team. Their code comes when asked for. */
export async function openSchedules(parts: Parts): Promise<void> {
  const { makeSchedulesTab, SCHEDULES_TAB } = await import('./schedulesview');
  const known = opened(parts, SCHEDULES_TAB);
  const tab =
    known ??
    makeSchedulesTab({
      model: parts.model,
      trans: parts.trans,
      openJob: job => {
        openJob(parts, job.id);
      }
    });
  show(parts, tab, known === null);
}

/** The tab with this id, where there is one. */
function opened({ app, lab }: Parts, id: string): Widget | null {
  for (const widget of app.shell.widgets(lab === null ? 'right' : 'main')) {
    if (widget.id === id) {
      return widget;
    }
  }
  return null;
}

/** The form's code comes when it is first asked for: it brings a validator of JSON Schemas, which no start needs. */
async function openForm(parts: Parts, path: string, start: Start | null = null): Promise<void> {
  const { makeSubmitTab } = await import('./submitview');
  const { model, trans, documents } = parts;
  const id = `aifactory-hub-submit-${path}`;
  const known = opened(parts, id);
  if (known !== null && start === null) {
    show(parts, known, false);
    return;
  }
  known?.dispose();
  const tab = makeSubmitTab({
    model,
    trans,
    path,
    profile: parts.defaultProfile(),
    start,
    save: async () => {
      const context = documents?.findWidget(path)?.context;
      if (context?.model.dirty === true) {
        await context.save();
      }
    },
    submitted: job => {
      model.add(job);
      void model.refresh();
      Notification.success(trans.__('%1 is submitted', printable(job.name)), {
        actions: [
          {
            label: trans.__('Show'),
            callback: () => {
              openJob(parts, job.id);
            }
          }
        ],
        autoClose: 8_000
      });
    },
    scheduled: schedule => {
      const name = printable(schedule.name ?? schedule.command);
      const next = schedule.next === null ? '' : momentIn(schedule.next, schedule.time_zone);
      Notification.success(trans.__('%1 is scheduled, next on %2', name, next), {
        actions: [{ label: trans.__('Show'), callback: () => void openSchedules(parts) }],
        autoClose: 8_000
      });
    }
  });
  show(parts, tab, true);
}

/** The path that is meant when a command says none: the open notebook, else the folder of the file browser. */
function current(parts: Parts): string {
  const open = parts.notebooks?.currentWidget;
  if (open != null && open === parts.app.shell.currentWidget) {
    return open.context.localPath;
  }
  return parts.browser?.model.path ?? '';
}

export function addCommands(parts: Parts, panelId: string): void {
  const { app, trans, palette, launcher, browsers } = parts;
  const { commands, shell } = app;
  const category = trans.__('AI Factory');
  const selected = () => [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
  commands.addCommand(CommandIDs.panel, {
    label: trans.__('Show quota and jobs'),
    icon: factoryIcon,
    execute: () => {
      shell.activateById(panelId);
    }
  });
  commands.addCommand(CommandIDs.job, {
    label: trans.__('Show a job'),
    isVisible: () => false,
    execute: args => {
      if (typeof args.id === 'string') {
        openJob(parts, args.id);
      }
    }
  });
  commands.addCommand(CommandIDs.schedules, {
    label: trans.__('Show schedules'),
    icon: args => (args.isPalette ? undefined : factoryIcon),
    execute: () => openSchedules(parts)
  });
  commands.addCommand(CommandIDs.submit, {
    label: args => (args.isLauncher ? trans.__('Submit a job') : trans.__('Submit as job…')),
    caption: trans.__('Run this notebook or folder as a job of the team'),
    icon: args => (args.isPalette ? undefined : sendIcon),
    execute: args =>
      openForm(
        parts,
        typeof args.path === 'string' ? args.path : typeof args.cwd === 'string' ? args.cwd : current(parts)
      )
  });
  commands.addCommand(CommandIDs.submitSelected, {
    label: trans.__('Submit as job…'),
    icon: sendIcon,
    isVisible: () => {
      const items = selected();
      return items.length === 1 && items[0] !== undefined && canRun(items[0]);
    },
    execute: async () => {
      const item = selected()[0];
      if (item !== undefined) {
        await openForm(parts, app.serviceManager.contents.localPath(item.path));
      }
    }
  });
  for (const command of [CommandIDs.panel, CommandIDs.schedules, CommandIDs.submit]) {
    palette?.addItem({ command, category, args: { isPalette: true } });
  }
  launcher?.add({ command: CommandIDs.submit, category, args: { isLauncher: true }, rank: 1 });
}
