import { besides, fieldErrors, findingWords, stops } from '../src/findings';
import type { Finding } from '../src/types';

const TITLES = { max_seconds: 'Longest run, in seconds', priority: 'Priority' };

function finding(more: Partial<Finding> = {}): Finding {
  return {
    rule: 'short',
    severity: 'hard',
    message: 'It may run for long.',
    fix: 'Set it to 3600.',
    field: 'max_seconds',
    enforced: true,
    refuses: true,
    overridable_by: null,
    override: null,
    needs: [],
    ...more
  };
}

test('what refuses stands at its field, with how to mend it', () => {
  const both = [finding(), finding({ rule: 'other', message: 'It is dear.', fix: '' })];
  expect(fieldErrors(null, both, TITLES)).toEqual({
    max_seconds: { __errors: ['It may run for long. Set it to 3600.', 'It is dear.'] }
  });
  expect(besides(both, TITLES)).toEqual([]);
});

test('what somebody has to approve stands in the way too', () => {
  const held = finding({ refuses: false, needs: [{ role: 'admin', count: 1 }] });
  expect(stops(held)).toBe(true);
  expect(Object.keys(fieldErrors(null, [held], TITLES))).toEqual(['max_seconds']);
});

test('advice, what is overridden and what is only tried is no error', () => {
  const told = [
    finding({ severity: 'advisory', refuses: false }),
    finding({ refuses: false, override: 'o1' }),
    finding({ refuses: false, enforced: false, needs: [{ role: 'admin', count: 1 }] })
  ];
  expect(fieldErrors(null, told, TITLES)).toEqual({});
  expect(besides(told, TITLES)).toEqual(told);
});

test('what is about no field of the form is told besides', () => {
  const told = [finding({ field: null }), finding({ field: 'image' })];
  expect(fieldErrors(null, told, TITLES)).toEqual({});
  expect(besides(told, TITLES)).toEqual(told);
});

test('what was refused just now is not said twice', () => {
  const trouble = { field: 'max_seconds', words: 'refused' };
  const both = [finding(), finding({ field: 'priority' })];
  expect(fieldErrors(trouble, both, TITLES)).toEqual({
    max_seconds: { __errors: ['refused'] },
    priority: { __errors: ['It may run for long. Set it to 3600.'] }
  });
});

test('words of a rule move no cursor', () => {
  expect(findingWords(finding({ message: 'a\u202eb', fix: '' }))).not.toContain('\u202e');
});
