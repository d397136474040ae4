/** Memory and GPU of this server over the last hour, as far as somebody measures them. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import { HEIGHT, line, WIDTH } from './chart';
import { bytes } from './format';
import type { Memory, Sample } from './types';

interface UsageProps {
  readonly usage: readonly Sample[];
  readonly memory: Memory | null;
  readonly now: Date;
  readonly trans: TranslationBundle;
}

export function Usage({ usage, memory, now, trans }: UsageProps): JSX.Element {
  const last = usage[usage.length - 1];
  const gpuMost = Math.max(1, ...usage.map(sample => sample.gpu_memory ?? 0));
  return (
    <div className="aif-Usage">
      <h3>{trans.__('This server, last hour')}</h3>
      <Chart
        name={trans.__('Memory')}
        value={
          memory === null
            ? null
            : `${bytes(memory.used)}${memory.limit === null ? '' : ` / ${bytes(memory.limit)}`}`
        }
        path={
          memory === null
            ? ''
            : line(usage, sample => sample.memory, memory.limit ?? memory.used, now.getTime() / 1000)
        }
        trans={trans}
      />
      <Chart
        name={trans.__('GPU memory')}
        value={last?.gpu_memory == null ? null : bytes(last.gpu_memory)}
        path={line(usage, sample => sample.gpu_memory, gpuMost, now.getTime() / 1000)}
        trans={trans}
      />
    </div>
  );
}

interface ChartProps {
  readonly name: string;
  readonly value: string | null;
  readonly path: string;
  readonly trans: TranslationBundle;
}

function Chart({ name, value, path, trans }: ChartProps): JSX.Element {
  return (
    <div className="aif-Chart">
      <div className="aif-Meter-words">
        <span>{name}</span>
        <span title={value === null ? trans.__('Nobody measures it here.') : undefined}>
          {value ?? trans.__('unknown')}
        </span>
      </div>
      {value === null || !path.includes('L') ? null : (
        <svg
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={trans.__('%1 over the last hour', name)}
        >
          <path d={path} />
        </svg>
      )}
    </div>
  );
}
