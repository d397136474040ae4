import { Notification } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';
import type { HubModel } from '../src/model';
import { Warner } from '../src/warner';
import { trans } from './trans';

jest.mock('@jupyterlab/apputils', () => ({
  Notification: { warning: jest.fn(() => 'id'), error: jest.fn(), dismiss: jest.fn() }
}));

const warning = Notification.warning as jest.MockedFunction<typeof Notification.warning>;
const dismiss = Notification.dismiss as jest.MockedFunction<typeof Notification.dismiss>;

function told(): string {
  return warning.mock.calls[0]?.[0] ?? '';
}

class FakeModel {
  readonly changed = new Signal<this, void>(this);
  overview: unknown = null;
  readonly api = { stay: jest.fn(() => Promise.resolve()), keep: jest.fn(() => Promise.resolve()) };
  readonly refresh = jest.fn(() => Promise.resolve());

  hear(idleSince: string | null, notice: unknown = null, unused: unknown = null): void {
    this.overview = { here: { idle: { stops_after: 3600, last_activity: idleSince }, notice, unused } };
    this.changed.emit();
  }
}

let model: FakeModel;
let warner: Warner;

beforeEach(() => {
  jest.useFakeTimers({ now: new Date('2026-05-05T12:00:00Z') });
  jest.clearAllMocks();
  document.title = 'JupyterLab';
  model = new FakeModel();
  warner = new Warner(model as unknown as HubModel, trans);
});

afterEach(() => {
  warner.dispose();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

test('a page that nobody sees reckons by itself when its server will be stopped', () => {
  jest.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  model.hear('2026-05-05T12:00:00Z');
  jest.advanceTimersByTime(44 * 60_000);
  expect(warning).not.toHaveBeenCalled();
  jest.advanceTimersByTime(61_000);
  expect(warning).toHaveBeenCalledTimes(1);
  expect(told()).toContain('stopped in 14 min');
  expect(document.title).toBe('⏳ JupyterLab');
  model.hear('2026-05-05T12:45:00Z');
  expect(dismiss).toHaveBeenCalledWith('id');
  expect(document.title).toBe('JupyterLab');
});

test('one click says that a person is here', async () => {
  model.hear('2026-05-05T11:01:00Z');
  const [action] = warning.mock.calls[0]?.[1]?.actions ?? [];
  action?.callback({} as MouseEvent);
  await jest.advanceTimersByTimeAsync(0);
  expect(model.api.stay).toHaveBeenCalledTimes(1);
  expect(model.refresh).toHaveBeenCalledTimes(1);
});

test('without a limit there is nothing to warn of', () => {
  model.hear(null);
  jest.advanceTimersByTime(24 * 3_600_000);
  expect(warning).not.toHaveBeenCalled();
});

test('that the quota is taken back is told once', () => {
  const notice = { why: 'team vision asks for its own', until: '2026-05-05T12:01:00+00:00' };
  model.hear('2026-05-05T12:00:00Z', notice);
  model.hear('2026-05-05T12:00:00Z', notice);
  expect(warning).toHaveBeenCalledTimes(1);
  expect(told()).toContain('team vision asks for its own.');
  model.hear('2026-05-05T12:00:00Z');
  expect(dismiss).toHaveBeenCalledWith('id');
});

test('a server that nothing uses can be kept with one click, and a site that only tries it out asks nobody', async () => {
  const unused = {
    why: 'Nothing has used it.',
    until: '2026-05-05T12:10:00+00:00',
    keep_seconds: 7200,
    keeps_left: 1
  };
  model.hear(null, null, { ...unused, stops: false });
  expect(warning).not.toHaveBeenCalled();
  model.hear(null, null, { ...unused, stops: true });
  model.hear(null, null, { ...unused, stops: true });
  expect(warning).toHaveBeenCalledTimes(1);
  const [action] = warning.mock.calls[0]?.[1]?.actions ?? [];
  expect(action?.label).toContain('Keep it for 2 h');
  action?.callback({} as MouseEvent);
  await jest.advanceTimersByTimeAsync(0);
  expect(model.api.keep).toHaveBeenCalledTimes(1);
  model.hear(null, null, { ...unused, stops: true, until: '2026-05-05T14:20:00+00:00', keeps_left: 0 });
  expect(warning.mock.calls[1]?.[1]?.actions).toEqual([]);
  model.hear(null);
  expect(dismiss).toHaveBeenCalledWith('id');
});
