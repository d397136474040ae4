/** Numbers and times as people read them. Pure; `locale` undefined is the browser's. */

/** Seconds as "45 s", "12 min", "3 h 05 min", "2 d 4 h", "12 d". */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  if (hours < 24) {
    return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  }
  const days = Math.floor(hours / 24);
  return days >= 10 || hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes as "512 B", "1.5 GiB". */
export function bytes(count: number): string {
  let rest = count;
  let unit = 0;
  while (rest >= 1024 && unit < UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** A cost with two digits and its currency; without one where the site names none. */
export function money(amount: number, currency?: string | null, locale?: string): string {
  const digits = amount.toLocaleString(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return currency ? `${digits} ${currency}` : digits;
}

/** "14:05:09", for "as of". */
export function clock(moment: Date, locale?: string): string {
  return moment.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** "Mon, Mar 30, 06:00" on the clocks of a time zone; of the browser's own where it does not know that zone. */
export function momentIn(iso: string, timeZone: string, locale?: string): string {
  const parts: Intl.DateTimeFormatOptions = {
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23'
  };
  const moment = new Date(iso);
  try {
    return moment.toLocaleString(locale, { ...parts, timeZone });
  } catch {
    return moment.toLocaleString(locale, parts);
  }
}

// As the service writes a time in a sentence.
const IN_SENTENCES = /\b(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)(?::(\d\d))? UTC\b/g;

/** A sentence of the service with its times, such as "2026-12-01 14:05 UTC", on the reader's clocks: "Dec 1, 15:05". */
export function inOwnZone(text: string, timeZone?: string, now = new Date(), locale?: string): string {
  return text.replace(IN_SENTENCES, (written: string, ...parts: (string | undefined)[]) => {
    const [year, month, day, hour, minute, second] = parts.slice(0, 6).map(part => Number(part ?? 0));
    const at = new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second));
    if (Number.isNaN(at.getTime())) {
      return written;
    }
    return at.toLocaleString(locale, {
      ...(at.getUTCFullYear() === now.getUTCFullYear() ? {} : { year: 'numeric' }),
      ...{ month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
      ...(parts[5] === undefined ? {} : { second: '2-digit' }),
      timeZone
    });
  });
}

/** Seconds between an ISO time and `now` (or a second ISO time); null when there is none. */
export function since(iso: string | null, until: Date | string | null): number | null {
  if (iso === null || until === null) {
    return null;
  }
  const begin = Date.parse(iso);
  const end = typeof until === 'string' ? Date.parse(until) : until.getTime();
  return Number.isNaN(begin) || Number.isNaN(end) ? null : Math.max(0, (end - begin) / 1000);
}

/** A resource's name without its maker: "nvidia.com/mig-1g.10gb" is "mig-1g.10gb". */
export function shortResource(resource: string): string {
  return resource.slice(resource.indexOf('/') + 1);
}

/** A profile's name without its GPU model: "h100-80gb:mig-1g.10gb" is "mig-1g.10gb"; where there is room, all is said. */
export function shortProfile(profile: string): string {
  return profile.slice(profile.indexOf(':') + 1);
}
