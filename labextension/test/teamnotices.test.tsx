import { act } from 'react';
import { createRoot } from 'react-dom/client';
import { english } from '../src/page/translation';
import { TeamNotices, WaitingBadge } from '../src/teamnotices';
import type { TeamState } from '../src/types';

function shown(team: Partial<TeamState>): HTMLElement {
  (globalThis as unknown as { IS_REACT_ACT_ENVIRONMENT: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const box = document.createElement('div');
  const whole = { approvals: null, budgets: null, page: '/s/approvals', ...team };
  act(() => {
    createRoot(box).render(<TeamNotices team={whole} trans={english} />);
  });
  return box;
}

test('approvals that wait lead to their page', () => {
  const box = shown({ approvals: 2 });
  expect(box.textContent).toBe('2 approvals wait for your vote');
  expect(box.querySelector('a')?.getAttribute('href')).toBe('/s/approvals');
  expect(shown({ approvals: 1 }).textContent).toBe('1 approval waits for your vote');
});

test('budgets that reached a step are told', () => {
  expect(shown({ budgets: ['84 of 100 GPU-hours are used'] }).textContent).toBe(
    '84 of 100 GPU-hours are used'
  );
});

test('what is not known or nothing says nothing', () => {
  expect(shown({}).textContent).toBe('');
  expect(shown({ approvals: 0, budgets: [] }).textContent).toBe('');
});

describe('the number of what waits', () => {
  function badge(approvals: number | null): HTMLAnchorElement | null {
    const box = document.createElement('div');
    act(() => {
      createRoot(box).render(
        <WaitingBadge team={{ approvals, budgets: null, page: '/s/approvals' }} trans={english} />
      );
    });
    return box.querySelector('a');
  }

  it('has a name, and leads to the page', () => {
    expect(badge(2)?.textContent).toBe('2');
    expect(badge(2)?.getAttribute('aria-label')).toBe('2 approvals wait for your vote');
    expect(badge(1)?.getAttribute('aria-label')).toBe('1 approval waits for your vote');
    expect(badge(2)?.getAttribute('href')).toBe('/s/approvals');
  });

  it('is not there for nothing, and unknown is not nothing', () => {
    expect(badge(0)).toBeNull();
    expect(badge(null)?.textContent).toBe('?');
    expect(badge(null)?.getAttribute('aria-label')).toBe(
      'How many approvals wait for your vote is not known now'
    );
  });
});
