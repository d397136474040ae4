import { Offline, Refused } from '../src/errors';
import { fieldTrouble } from '../src/formtrouble';

const TITLES = { max_seconds: 'Longest run, in seconds', environment: 'Variables' };

function refused(field: string | null, message: string): Refused {
  return new Refused(400, 'bad-field', message, field);
}

test('a field is called as on the screen', () => {
  const words = 'Longest run, in seconds is -5: it should be greater than or equal to 1.';
  for (const before of ['', 'job.']) {
    const message = `${before}max_seconds is -5: Input should be greater than or equal to 1.`;
    expect(fieldTrouble(refused(`${before}max_seconds`, message), TITLES)).toEqual({
      field: 'max_seconds',
      words
    });
  }
  const variable = refused('environment', "environment: 'a b' is not the name of a variable.");
  expect(fieldTrouble(variable, TITLES)?.words).toBe("Variables: 'a b' is not the name of a variable.");
});

test('what is about no field of the form is not put at one', () => {
  expect(fieldTrouble(refused('profile', 'profile: there is none'), TITLES)).toBeNull();
  expect(fieldTrouble(refused(null, 'no'), TITLES)).toBeNull();
  expect(fieldTrouble(new Offline(), TITLES)).toBeNull();
});
