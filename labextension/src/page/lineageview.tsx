/** What something came from and what came from it: as a drawing, and as a table with the same content. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useCallback } from 'react';
import { printable } from '../printable';
import { Answered } from './answered';
import {
  BOX,
  kindWords,
  knownWords,
  layout,
  type LineageGraph,
  type LineageNode,
  type Placed
} from './models';
import type { PageApi } from './pageapi';
import { jobAddress } from './place';
import { useAnswer } from './useanswer';

interface LineageProps {
  readonly api: PageApi;
  readonly prefix: string;
  readonly tenant: string;
  /** As "model:fraud@3". */
  readonly of: string;
  readonly trans: TranslationBundle;
}

export function LineageView({ api, prefix, tenant, of, trans }: LineageProps): JSX.Element {
  const graph = useAnswer(useCallback(() => api.lineage(tenant, of), [api, tenant, of]));
  const title = trans.__('Lineage of %1', of.replace(/^model:/, ''));
  return (
    <section aria-labelledby="aif-lineage">
      <h3 id="aif-lineage">{title}</h3>
      <Answered answer={graph} trans={trans}>
        {found => (
          <>
            <Drawn graph={found} title={title} trans={trans} />
            {found.cut ? <p>{trans.__('There is more than is shown.')}</p> : null}
            <LineageTable graph={found} prefix={prefix} title={title} trans={trans} />
          </>
        )}
      </Answered>
    </section>
  );
}

interface GraphProps {
  readonly graph: LineageGraph;
  readonly title: string;
  readonly trans: TranslationBundle;
}

function Drawn({ graph, title, trans }: GraphProps): JSX.Element {
  const { placed, width, height } = layout(graph);
  const at = new Map(placed.map(each => [each.node.id, each]));
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={title}>
      <svg
        className="aif-Lineage"
        role="img"
        aria-label={trans.__('%1: %2 things. The table below says the same.', title, String(placed.length))}
        width={width + 2}
        height={height + 2}
        viewBox={`-1 -1 ${String(width + 2)} ${String(height + 2)}`}
      >
        {graph.edges.map(edge => (
          <path
            key={`${edge.before} ${edge.after} ${edge.how}`}
            d={curve(at.get(edge.before), at.get(edge.after))}
            data-known={edge.known}
          />
        ))}
        {placed.map(each => (
          <Box key={each.node.id} placed={each} trans={trans} />
        ))}
      </svg>
    </div>
  );
}

function Box({ placed, trans }: { placed: Placed; trans: TranslationBundle }): JSX.Element {
  const { node, x, y } = placed;
  return (
    <g transform={`translate(${String(x)} ${String(y)})`} data-kind={node.kind} data-known={node.known}>
      <title>{`${kindWords(node.kind, trans)} ${printable(node.label)}`}</title>
      <rect width={BOX.width} height={BOX.height} rx={4} />
      <text x={8} y={16}>
        {kindWords(node.kind, trans)}
      </text>
      <text x={8} y={32} className="aif-Lineage-label">
        {short(printable(node.label))}
      </text>
    </g>
  );
}

function short(text: string): string {
  return text.length > 20 ? `${text.slice(0, 19)}…` : text;
}

function curve(from: Placed | undefined, to: Placed | undefined): string {
  if (from === undefined || to === undefined) {
    return '';
  }
  const [x1, y1] = [from.x + BOX.width, from.y + BOX.height / 2];
  const [x2, y2] = [to.x, to.y + BOX.height / 2];
  const middle = (x1 + x2) / 2;
  return `M${String(x1)} ${String(y1)}C${String(middle)} ${String(y1)} ${String(middle)} ${String(y2)} ${String(x2)} ${String(y2)}`;
}

function LineageTable({ graph, prefix, title, trans }: GraphProps & { prefix: string }): JSX.Element {
  const labels = new Map(graph.nodes.map(node => [node.id, printable(node.label)]));
  const from = (node: LineageNode) =>
    graph.edges
      .filter(edge => edge.after === node.id)
      .map(edge => `${labels.get(edge.before) ?? ''} (${edge.how})`)
      .join(', ');
  return (
    <div className="aif-Wide" tabIndex={0} role="group" aria-label={trans.__('Table: %1', title)}>
      <table className="aif-Table aif-Lines">
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">{trans.__('What')}</th>
            <th scope="col">{trans.__('Name')}</th>
            <th scope="col">{trans.__('Came from')}</th>
            <th scope="col">{trans.__('Digest')}</th>
            <th scope="col">{trans.__('Known')}</th>
          </tr>
        </thead>
        <tbody>
          {graph.nodes.map(node => (
            <tr key={node.id}>
              <td>{kindWords(node.kind, trans)}</td>
              <th scope="row">
                {node.kind === 'job' && !node.foreign && node.known !== 'missing' ? (
                  <a className="aif-Link" href={jobAddress(prefix, String(node.about.job))}>
                    {labels.get(node.id)}
                  </a>
                ) : (
                  labels.get(node.id)
                )}
              </th>
              <td>{from(node) || '–'}</td>
              <td>
                <code>{node.digest.slice(0, 12) || '–'}</code>
              </td>
              <td>{knownWords(node.known, trans)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
