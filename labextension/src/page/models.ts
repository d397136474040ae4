/** What the service says of models, and how it is said to people. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { components } from '../openapi';

type Schemas = components['schemas'];

export type ModelList = Schemas['ModelList'];
export type Model = Schemas['ModelAnswer'];
export type ModelDetail = Schemas['ModelDetail'];
export type Version = Schemas['VersionAnswer'];
export type VersionDetail = Schemas['VersionDetail'];
export type Verification = Schemas['VerificationAnswer'];
export type Alias = Schemas['AliasAnswer'];
export type Moved = Schemas['MoveAnswer'];
export type LineageGraph = Schemas['LineageAnswer'];
export type LineageNode = Schemas['NodeAnswer'];

/** What a version is known to be, in words. */
export function badge(version: Version, looked: Verification | null, trans: TranslationBundle): string {
  if (version.state === 'QUARANTINED' || looked?.version.state === 'QUARANTINED') {
    return trans.__('quarantined');
  }
  if (looked === null) {
    return trans.__('signed');
  }
  return looked.ok ? trans.__('verified now') : trans.__('does not pass');
}

/** The alias chips of a version: those that lead to it, with a mark where one is frozen. */
export function chips(version: Version, aliases: readonly Alias[], trans: TranslationBundle): string[] {
  return aliases
    .filter(alias => alias.version === version.version)
    .map(alias => (alias.frozen === null ? alias.name : trans.__('%1 (frozen)', alias.name)));
}

/** A line of a comparison: what is compared, and what each of both has. */
export interface Difference {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly same: boolean;
}

type Provenance = Readonly<Record<string, unknown>>;

/** What tells two versions apart: data, commit, parameters, image, metrics, files. */
export function differences(
  before: VersionDetail,
  after: VersionDetail,
  trans: TranslationBundle
): Difference[] {
  const rows = [...facts(before, trans).keys(), ...facts(after, trans).keys()];
  const [one, two] = [facts(before, trans), facts(after, trans)];
  return [...new Set(rows)].map(what => {
    const [left, right] = [one.get(what) ?? '–', two.get(what) ?? '–'];
    return { what, before: left, after: right, same: left === right };
  });
}

function facts(detail: VersionDetail, trans: TranslationBundle): Map<string, string> {
  const found = new Map<string, string>();
  const made = part(detail.provenance, 'buildDefinition');
  const asked = part(made, 'externalParameters');
  for (const [name, label] of [
    ['command', trans.__('Command')],
    ['profile', trans.__('Profile')],
    ['nodes', trans.__('Nodes')],
    ['engine', trans.__('Engine')]
  ] as const) {
    found.set(label, text(asked[name]));
  }
  for (const [name, value] of Object.entries(part(asked, 'parameters'))) {
    found.set(trans.__('Parameter %1', name), text(value));
  }
  for (const each of list(made.resolvedDependencies)) {
    const [kind, name] = split(text(each.name));
    const digest = text(Object.values(part(each, 'digest'))[0]);
    const known = text(part(each, 'annotations').known);
    found.set(
      kind === 'data' ? `${kind} ${name.split('@')[0] ?? ''}` : kind,
      `${name} ${digest.slice(0, 12)} (${known})`
    );
  }
  const claims = part(detail.provenance, 'claimedByJob');
  for (const [name, value] of Object.entries(part(claims, 'metrics'))) {
    found.set(trans.__('Metric %1, as the job says', name), text(value));
  }
  for (const file of detail.files) {
    found.set(trans.__('File %1', file.name), `${file.sha256.slice(0, 12)}, ${String(file.size)} B`);
  }
  return found;
}

function part(of: unknown, name: string): Provenance {
  const found = typeof of === 'object' && of !== null ? (of as Provenance)[name] : undefined;
  return typeof found === 'object' && found !== null ? (found as Provenance) : {};
}

function list(of: unknown): Provenance[] {
  return Array.isArray(of)
    ? of.filter((each): each is Provenance => typeof each === 'object' && each !== null)
    : [];
}

function text(value: unknown): string {
  if (value === undefined || value === null) {
    return '–';
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function split(name: string): [string, string] {
  const colon = name.indexOf(':');
  return colon < 0 ? ['', name] : [name.slice(0, colon), name.slice(colon + 1)];
}

/** Where a node of the graph is drawn. */
export interface Placed {
  readonly node: LineageNode;
  readonly x: number;
  readonly y: number;
}

export interface Drawing {
  readonly placed: readonly Placed[];
  readonly width: number;
  readonly height: number;
}

export const BOX = { width: 150, height: 40, right: 60, below: 16 } as const;

/** A layer for each step from what a thing came from, left to right; in a layer one below the other. */
export function layout(graph: Pick<LineageGraph, 'nodes' | 'edges'>): Drawing {
  const layers = layersOf(graph);
  const rows = new Map<number, number>();
  const placed = graph.nodes.map(node => {
    const layer = layers.get(node.id) ?? 0;
    const row = rows.get(layer) ?? 0;
    rows.set(layer, row + 1);
    return { node, x: layer * (BOX.width + BOX.right), y: row * (BOX.height + BOX.below) };
  });
  const most = (of: (each: Placed) => number) => placed.reduce((sum, each) => Math.max(sum, of(each)), 0);
  return { placed, width: most(each => each.x) + BOX.width, height: most(each => each.y) + BOX.height };
}

function layersOf(graph: Pick<LineageGraph, 'nodes' | 'edges'>): Map<string, number> {
  const layers = new Map(graph.nodes.map(node => [node.id, 0]));
  // A graph of what came from what has no circles; the bound holds for one that has.
  for (let round = 0; round < graph.nodes.length; round += 1) {
    let moved = false;
    for (const edge of graph.edges) {
      const least = (layers.get(edge.before) ?? 0) + 1;
      if (least > (layers.get(edge.after) ?? 0) && least < graph.nodes.length) {
        layers.set(edge.after, least);
        moved = true;
      }
    }
    if (!moved) {
      break;
    }
  }
  return layers;
}

export function kindWords(kind: LineageNode['kind'], trans: TranslationBundle): string {
  const names: Record<LineageNode['kind'], string> = {
    alias: trans.__('alias'),
    approval: trans.__('approval'),
    commit: trans.__('commit'),
    data: trans.__('data'),
    deployment: trans.__('deployment'),
    files: trans.__('files'),
    image: trans.__('image'),
    job: trans.__('job'),
    key: trans.__('key'),
    template: trans.__('template'),
    version: trans.__('version')
  };
  return names[kind];
}

export function knownWords(known: string, trans: TranslationBundle): string {
  return (
    { verified: trans.__('verified'), declared: trans.__('declared'), missing: trans.__('not known') }[
      known
    ] ?? known
  );
}
