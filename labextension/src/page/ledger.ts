/** What the ledger says of a span of time, as the service answers it; and how it is said to people. Pure. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { components } from '../openapi';

type Schemas = components['schemas'];

export type TeamOverview = Schemas['OverviewAnswer'];
export type PlatformOverview = Schemas['PlatformOverviewAnswer'];
export type Holding = Schemas['HoldingAnswer'];
export type Waiting = Schemas['WaitingAnswer'];
export type UsageRow = Schemas['UsageRowAnswer'];
export type TeamUsage = Schemas['TeamUsage'];
export type PlatformUsage = Schemas['PlatformUsage'];
export type Heat = Schemas['Heatmap'];
export type HoldRow = Schemas['HoldAnswer'];
export type HoldPage = Schemas['HoldPage'];
export type OneHold = Schemas['HoldEvidence'];
export type Fact = Schemas['FactAnswer'];
export type BillLine = Schemas['BillLineAnswer'];
export type Bill = Schemas['BillAnswer'];
export type Bills = Schemas['PlatformBills'];
export type Budget = Schemas['BudgetAnswer'];
export type Budgets = Schemas['BudgetsAnswer'];

export type IdleServers = Schemas['IdleServers'];
export type IdleServer = Schemas['IdleServer'];
export type IdleAct = Schemas['IdleActAnswer'];
export type SizeAdvice = Schemas['SizeAdvice'];
export type AllAdvice = Schemas['AdviceAnswer'];

export type By = 'user' | 'profile' | 'kind' | 'day' | 'tenant';

/** What both answers about a month have. */
export type Usage = Omit<TeamUsage, 'by' | 'scope' | 'tenant'>;

/** "41.25 h"; what is less than a hundredth of an hour and not nothing says so. */
export function hours(seconds: number, locale?: string): string {
  const count = seconds / 3600;
  if (seconds > 0 && count < 0.01) {
    return '< 0.01 h';
  }
  return `${count.toLocaleString(locale, { maximumFractionDigits: 2 })} h`;
}

/** All that the lines of a bill are for, in seconds. */
export function heldBy(bill: { readonly lines: readonly Pick<BillLine, 'seconds'>[] }): number {
  return bill.lines.reduce((sum, line) => sum + line.seconds, 0);
}

/** Decimal text with its currency: every digit that the service says, and at least two decimals. */
export function amount(text: string | null, currency: string | null, trans: TranslationBundle): string {
  if (text === null) {
    return trans.__('no price');
  }
  const [whole = '', decimals = ''] = text.split('.');
  const shown = `${whole}.${decimals.padEnd(2, '0')}`;
  return currency ? `${shown} ${currency}` : shown;
}

/** Nobody's name is said as what it is: the pod was made without the hub. */
export function person(user: string, trans: TranslationBundle): string {
  return user === '' ? trans.__('unknown (made without the hub)') : user;
}

export function kindName(kind: string, trans: TranslationBundle): string {
  const names: Record<string, string> = {
    server: trans.__('server'),
    job: trans.__('job'),
    pod: trans.__('pod of the team')
  };
  return names[kind] ?? kind;
}

/** "Nov 3, 14:05" on the reader's clocks. */
export function moment(seconds: number, locale?: string): string {
  return new Date(seconds * 1000).toLocaleString(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23'
  });
}

/** The same with seconds: what evidence is told by. */
export function second(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The names of this month and of those before it, as "2026-11", the newest first. */
export function months(now: Date, count: number): readonly string[] {
  return Array.from({ length: count }, (_, back) => {
    const first = new Date(now.getFullYear(), now.getMonth() - back, 1);
    return `${first.getFullYear()}-${String(first.getMonth() + 1).padStart(2, '0')}`;
  });
}

/** "November 2026" */
export function monthName(month: string, locale?: string): string {
  const [year, number] = month.split('-').map(Number);
  return new Date(year ?? 1970, (number ?? 1) - 1, 1).toLocaleDateString(locale, {
    month: 'long',
    year: 'numeric'
  });
}

/** How dark a cell of the heatmap is, from 0 for nothing to 4 for the most there is. */
export function shade(value: number, most: number): number {
  return value <= 0 || most <= 0 ? 0 : Math.max(1, Math.ceil((value / most) * 4));
}

/** "0", "0.3", "12" */
export function mean(value: number, locale?: string): string {
  return value.toLocaleString(locale, { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** How many days a month has. */
export function lengthOf(month: string): number {
  const [year = 1970, number = 1] = month.split('-').map(Number);
  return new Date(year, number, 0).getDate();
}

/** Every day of a month in order, with 0 for those of which nothing is said; days to come are left out. */
export function everyDay(
  rows: readonly UsageRow[],
  month: string,
  asOf: number
): readonly { readonly day: string; readonly seconds: number; readonly amount: string | null }[] {
  const known = new Map(rows.map(row => [row.key, row]));
  const last = rows.reduce((latest, row) => (row.key > latest ? row.key : latest), '');
  const today = new Date(asOf * 1000).toISOString().slice(0, 10);
  return Array.from(
    { length: lengthOf(month) },
    (_, index) => `${month}-${String(index + 1).padStart(2, '0')}`
  )
    .filter(day => day <= today || day <= last)
    .map(day => ({ day, seconds: known.get(day)?.seconds ?? 0, amount: known.get(day)?.amount ?? null }));
}
