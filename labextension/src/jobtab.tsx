/** One job, in a tab of its own. */

import { MainAreaWidget } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { JSX } from 'react';
import { factoryIcon } from './icons';
import { type JobOptions, JobView } from './jobview';

class JobBody extends ReactWidget {
  constructor(
    private readonly options: JobOptions,
    private readonly named: (name: string) => void
  ) {
    super();
    this.addClass('aif-Job');
  }

  protected render(): JSX.Element {
    return <JobView {...this.options} named={this.named} />;
  }
}

/** A tab for one job. */
export function makeJobTab(options: JobOptions): MainAreaWidget {
  let tab: MainAreaWidget | null = null;
  const content = new JobBody(options, name => {
    if (tab !== null) {
      tab.title.label = name;
    }
  });
  tab = new MainAreaWidget({ content });
  tab.id = `aifactory-hub-job-${options.id}`;
  tab.title.label = options.id;
  tab.title.icon = factoryIcon;
  tab.title.closable = true;
  return tab;
}
