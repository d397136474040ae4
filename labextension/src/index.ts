/** The plugins. Each does nothing on a server that is not the hub's. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { Api } from './api';
import { HubModel } from './model';
import { Panel } from './panel';

const ID = '@aifactory/hub:plugin';
/** Milliseconds, until the settings have been read. */
const BUSY = 5_000;

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: "The team's quota and jobs",
  autoStart: true,
  optional: [ITranslator, ISettingRegistry, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    translator: ITranslator | null,
    _settings: ISettingRegistry | null,
    restorer: ILayoutRestorer | null
  ) => {
    if (PageConfig.getOption('aifactoryHub') === '') {
      console.info(
        'AI Factory: this server was not started by a hub with the job service, so its panel is off.'
      );
      return;
    }
    const trans = (translator ?? nullTranslator).load('aifactory_hub');
    const model = new HubModel(new Api(app.serviceManager.serverSettings), { busyInterval: BUSY });
    const panel = new Panel({ model, trans, open: () => undefined });
    app.shell.add(panel, 'left', { rank: 400, type: 'AI Factory' });
    restorer?.add(panel, panel.id);
    void app.restored.then(() => {
      void model.start();
    });
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) {
        void model.refresh();
      }
    });
  }
};

export default [plugin];
