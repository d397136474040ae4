/** What is said of deployments. */

import {
  askedWords,
  type Deployed,
  deployedWords,
  type Deployment,
  servesWords
} from '../src/page/deployments';
import { trans } from './trans';

const serving: NonNullable<Deployment['serving']> = {
  ...{ number: 7, version: 3, digest: '0'.repeat(64), state: 'SERVING' as const, reason: '' },
  ...{ by: 'ada', why: '', profile: 'mig-1g.10gb', replicas: 2 },
  cause: 'deploy',
  framework: 'auto',
  ...{ created_at: '2026-01-01T00:00:00Z', serving_at: '2026-01-01T00:01:00Z', ended_at: null }
};
const deployment: Deployment = {
  ...{ tenant: 'nlp', name: 'fraud', reason: '', model: 'fraud', at: 'prod' },
  state: 'READY',
  ...{ profile: 'mig-1g.10gb', replicas: 2, recreate: false, example: null, by: 'ada' },
  framework: 'auto',
  ...{ created_at: '2026-01-01T00:00:00Z', changed_at: '2026-01-01T00:00:00Z' },
  ...{ serving, newest: serving, back: 6 }
};
const answer: Deployed = { deployment, held: false, needs: [], warnings: [] };

test('a deployment says what it answers with, and what was asked for', () => {
  expect(servesWords(deployment, trans)).toBe('fraud 3 (release 7)');
  expect(servesWords({ ...deployment, serving: null }, trans)).toBe('nothing');
  expect(askedWords(deployment, trans)).toBe('fraud@prod, 2 x mig-1g.10gb');
});

test('a way back says where it led, or who is to approve it', () => {
  expect(deployedWords('fraud', answer, trans)).toBe('fraud answers with release 7.');
  const coming = { ...answer, deployment: { ...deployment, serving: null } };
  expect(deployedWords('fraud', coming, trans)).toBe('fraud is on its way.');
  const held = { ...answer, deployment: null, held: true, needs: [{ role: 'admin', count: 2 }] };
  expect(deployedWords('fraud', held, trans)).toContain('has to be approved first (2 admin)');
});
