/** The way to this server's part of the extension: in JupyterLab the browser never talks to the job service itself. */

import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { Transport } from './api';
import { Offline } from './errors';

const PREFIX = 'aifactory-hub';

export function labTransport(settings: ServerConnection.ISettings): Transport {
  return {
    url: path => URLExt.join(settings.baseUrl, PREFIX, path),
    send: async (url, init) => {
      try {
        // The server says no-store. JupyterLab's own way would put the time into the address, which the service refuses.
        return await ServerConnection.makeRequest(url, { cache: 'default', ...init }, settings);
      } catch (error) {
        if (error instanceof ServerConnection.NetworkError) {
          throw new Offline();
        }
        throw error;
      }
    },
    startUrl: startUrl()
  };
}

/** Where this server is started again; null on a page that is not a hub's. */
function startUrl(): string | null {
  const user = PageConfig.getOption('hubUser');
  const parts = ['spawn', user, PageConfig.getOption('hubServerName')].map(encodeURIComponent);
  const below = URLExt.join(PageConfig.getOption('hubPrefix'), ...parts.filter(part => part !== ''));
  return user === '' ? null : PageConfig.getOption('hubHost') + below;
}
