import {
  badge,
  BOX,
  chips,
  differences,
  kindWords,
  layout,
  type LineageGraph,
  type Version,
  type VersionDetail
} from '../src/page/models';
import { readHere } from '../src/page/place';
import { trans } from './trans';

const version = { version: 3, state: 'REGISTERED', why: '' } as unknown as Version;

function detail(number: number, command: string, digest: string): VersionDetail {
  return {
    version: { ...version, version: number },
    files: [{ name: 'w.bin', size: 2, sha256: digest.repeat(64) }],
    provenance: {
      buildDefinition: {
        externalParameters: { command, profile: 'mig', nodes: 1, engine: null, parameters: { epochs: '3' } },
        resolvedDependencies: [
          { name: 'commit:abc', digest: { gitCommit: digest.repeat(40) }, annotations: { known: 'declared' } }
        ]
      },
      claimedByJob: { metrics: { loss: 0.5 } }
    },
    bundle: null,
    statements: [],
    simulated: true
  };
}

describe('a version', () => {
  it('says what is known of it', () => {
    const quarantined = { ...version, state: 'QUARANTINED' } as Version;
    const looked = (ok: boolean) => ({ ok, version }) as never;
    expect(badge(version, null, trans)).toBe('signed');
    expect(badge(version, looked(true), trans)).toBe('verified now');
    expect(badge(version, looked(false), trans)).toBe('does not pass');
    expect(badge(quarantined, looked(true), trans)).toBe('quarantined');
    expect(badge(version, { ok: false, version: quarantined } as never, trans)).toBe('quarantined');
  });

  it('has the chips of the aliases that lead to it', () => {
    const frozen = { by: 'ada', at: '', reason: '' };
    const aliases = [
      { name: 'prod', version: 3, since: null, frozen, back: null },
      { name: 'dev', version: 3, since: null, frozen: null, back: null },
      { name: 'old', version: 1, since: null, frozen: null, back: null }
    ];
    expect(chips(version, aliases, trans)).toEqual(['prod (frozen)', 'dev']);
  });
});

describe('two versions', () => {
  it('are told apart by command, commit, metrics and files', () => {
    const rows = differences(detail(1, 'train --lr 1', 'a'), detail(2, 'train --lr 2', 'b'), trans);
    const different = rows.filter(row => !row.same).map(row => row.what);
    expect(different).toEqual(['Command', 'commit', 'File w.bin']);
    expect(rows.find(row => row.what === 'Metric loss, as the job says')?.after).toBe('0.5');
  });

  it('may be of a job of which nothing is known', () => {
    const nothing = { ...detail(1, '', 'a'), provenance: null } as VersionDetail;
    expect(differences(nothing, nothing, trans).every(row => row.same)).toBe(true);
  });
});

describe('a lineage', () => {
  const node = (id: string) => ({
    id,
    kind: 'job',
    label: id,
    digest: '',
    known: 'verified',
    tenant: null,
    foreign: false,
    about: {}
  });
  const edge = (before: string, after: string) => ({ before, after, how: 'made', known: 'verified' });

  it('is drawn from left to right, and nothing lies on another thing', () => {
    const graph = {
      nodes: ['alias', 'version', 'job', 'commit', 'image'].map(node),
      edges: [edge('commit', 'job'), edge('image', 'job'), edge('job', 'version'), edge('version', 'alias')]
    } as unknown as LineageGraph;
    const { placed, width, height } = layout(graph);
    const at = Object.fromEntries(placed.map(each => [each.node.id, [each.x, each.y]]));
    const step = BOX.width + BOX.right;
    expect([at.commit?.[0], at.job?.[0], at.version?.[0], at.alias?.[0]]).toEqual([
      0,
      step,
      2 * step,
      3 * step
    ]);
    expect(new Set(placed.map(each => `${String(each.x)} ${String(each.y)}`)).size).toBe(5);
    expect([width, height]).toEqual([3 * step + BOX.width, 2 * BOX.height + BOX.below]);
  });

  it('has a word for a deployment, which stands behind its alias and its version', () => {
    const graph = {
      nodes: ['version', 'deployment', 'alias'].map(node),
      edges: [edge('version', 'deployment'), edge('version', 'alias'), edge('alias', 'deployment')]
    } as unknown as LineageGraph;
    const at = Object.fromEntries(layout(graph).placed.map(each => [each.node.id, each.x]));
    expect(at.deployment).toBeGreaterThan(at.alias ?? 0);
    expect(kindWords('deployment', trans)).toBe('deployment');
  });

  it('ends also where things go round in a circle, which they never should', () => {
    const graph = {
      nodes: ['a', 'b'].map(node),
      edges: [edge('a', 'b'), edge('b', 'a')]
    } as unknown as LineageGraph;
    expect(layout(graph).placed).toHaveLength(2);
  });
});

describe('the address', () => {
  it('is of a team and its models', () => {
    expect(readHere('/s/', '/s/models/n%20lp')).toEqual({ page: 'models', tenant: 'n lp' });
    expect(readHere('/s/', '/s/team/nlp')).toEqual({ page: 'team', tenant: 'nlp' });
    expect(readHere('/s/', '/s/models/')).toEqual({ page: 'jobs' });
  });
});
