/** Each GPU as a small picture: its slices, held, free, or free and of use to nothing that waits. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { JSX } from 'react';
import type { components } from '../openapi';
import { printable } from '../printable';

type Schemas = components['schemas'];
export type Gpus = Schemas['GpusAnswer'];
export type Gpu = Schemas['CutGpuAnswer'];

/** GPUs that are drawn; the numbers above them are of all. */
const DRAWN = 64;

export type Use = 'held' | 'free' | 'stranded' | 'uncut';

/** One piece of the picture: `wide` of the GPU's compute slices. */
export interface Piece {
  readonly name: string;
  readonly use: Use;
  readonly wide: number;
}

/** The slices of each size from left to right: held ones, then those that are of use, then the others; last what is not cut. */
export function pieces(gpu: Gpu): readonly Piece[] {
  const total = gpu.compute_slices ?? 1;
  if (gpu.slices.length === 0) {
    return [{ name: '', use: gpu.held ? 'held' : 'uncut', wide: total }];
  }
  const cut = gpu.slices.flatMap(each => {
    const of = (use: Use, count: number): Piece[] =>
      Array.from({ length: count }, () => ({ name: each.slice, use, wide: gpu.compute[each.slice] ?? 1 }));
    return [
      ...of('held', each.total - each.free),
      ...of('free', each.free - each.stranded),
      ...of('stranded', each.stranded)
    ];
  });
  return gpu.uncut > 0 ? [...cut, { name: '', use: 'uncut', wide: gpu.uncut }] : cut;
}

/** The picture in words: "1g.10gb: 2 held, 5 free". */
export function gpuWords(gpu: Gpu, trans: TranslationBundle): string {
  if (gpu.unknown !== null) {
    return trans.__('not known: %1', printable(gpu.unknown));
  }
  if (gpu.slices.length === 0) {
    return gpu.held ? trans.__('not cut, held') : trans.__('not cut, idle');
  }
  return gpu.slices
    .map(each => {
      const words = trans.__('%1: %2 held, %3 free', each.slice, each.total - each.free, each.free);
      return each.stranded === 0 ? words : `${words} ${trans.__('(of no use to what waits)')}`;
    })
    .join('; ');
}

interface GpusProps {
  readonly gpus: Gpus;
  readonly trans: TranslationBundle;
}

export function GpuPictures({ gpus, trans }: GpusProps): JSX.Element {
  if (!gpus.known || gpus.gpus === null) {
    return <p>{trans.__('How the GPUs are cut is not known: %1.', printable(gpus.why ?? ''))}</p>;
  }
  return (
    <>
      <dl className="aif-Totals">
        <Fact name={trans.__('Idle GPUs')} value={gpus.idle} />
        <Fact name={trans.__('Partly held')} value={gpus.partly} />
        <Fact name={trans.__('Full')} value={gpus.full} />
        <Fact name={trans.__('Not known')} value={gpus.unknown} />
        <Fact name={trans.__('Free, in GPUs')} value={gpus.free} />
        <Fact name={trans.__('Of no use to what waits')} value={gpus.stranded} />
      </dl>
      <ul className="aif-Gpus">
        {gpus.gpus.slice(0, DRAWN).map(gpu => (
          <li key={gpu.uuid}>
            <span className="aif-Gpus-name">
              {printable(gpu.node)} {gpu.index} <small>{printable(gpu.model)}</small>
            </span>
            {gpu.unknown === null ? <Picture gpu={gpu} /> : null}
            <small className="aif-Quiet">{gpuWords(gpu, trans)}</small>
          </li>
        ))}
      </ul>
      {gpus.gpus.length > DRAWN ? (
        <p className="aif-Quiet">{trans.__('%1 more GPUs are not drawn.', gpus.gpus.length - DRAWN)}</p>
      ) : null}
    </>
  );
}

function Fact({ name, value }: { name: string; value: number | null }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** The words beside it say the same. */
function Picture({ gpu }: { gpu: Gpu }): JSX.Element {
  return (
    <span className="aif-Gpu" aria-hidden="true">
      {pieces(gpu).map((piece, index) => (
        <span key={index} data-use={piece.use} style={{ flexGrow: piece.wide }} title={piece.name} />
      ))}
    </span>
  );
}
