/** The log of a job, as far as it is shown: pure. */

/** Characters of the log that are kept; the whole of it can be downloaded. */
const KEPT = 400_000;

/** What there is of the log, with what has come since; its beginning goes when it gets too long. */
export function append(log: string, text: string, skipped: boolean): string {
  const joined = skipped ? `${log}\n[…]\n${text}` : log + text;
  return joined.length <= KEPT ? joined : `[…]${joined.slice(joined.indexOf('\n', joined.length - KEPT))}`;
}

/**
 * How many bytes of this attempt's log are here; empty for none. `place` is an event's id, "attempt.bytes": each
 * attempt's log begins anew.
 */
export function placeOf(place: string, attempt: number): string {
  const [of, bytes] = place.split('.');
  return of === String(attempt) ? (bytes ?? '') : '';
}
