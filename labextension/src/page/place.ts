/** What the page's address says: which jobs, or which job. Pure. */

import type { JobFilter } from '../api';

/** An id to show one job; null for the list. */
export interface Place {
  readonly id: string | null;
  readonly filter: JobFilter;
}

/** Which of the pages an address is of. */
export type Here =
  | { readonly page: 'jobs' | 'platform' | 'teams' | 'notifications' }
  | { readonly page: 'team' | 'models' | 'pipelines'; readonly tenant: string }
  /** `id` null: all of them. */
  | { readonly page: 'approvals'; readonly id: string | null };

export const ALL: JobFilter = { mine: false, text: '', state: '' };

/** `prefix` is where the page begins, as "/services/aifactory/". */
export function readPlace(prefix: string, path: string, search: string): Place {
  const match = /^jobs\/([^/]+)$/.exec(path.startsWith(prefix) ? path.slice(prefix.length) : '');
  const asked = new URLSearchParams(search);
  const tenant = asked.get('team') ?? '';
  return {
    id: match?.[1] === undefined ? null : decoded(match[1]),
    filter: {
      ...(tenant === '' ? {} : { tenant }),
      mine: asked.get('mine') === 'true',
      text: asked.get('text') ?? '',
      state: asked.get('state') ?? ''
    }
  };
}

/** The address of the list with this filter; what is not narrowed is left out. */
export function listAddress(prefix: string, filter: JobFilter): string {
  const asked = new URLSearchParams();
  if (filter.tenant) {
    asked.set('team', filter.tenant);
  }
  if (filter.mine) {
    asked.set('mine', 'true');
  }
  if (filter.state) {
    asked.set('state', filter.state);
  }
  if (filter.text) {
    asked.set('text', filter.text);
  }
  const text = asked.toString();
  return text ? `${prefix}?${text}` : prefix;
}

export function jobAddress(prefix: string, id: string): string {
  return `${prefix}jobs/${encodeURIComponent(id)}`;
}

export function teamAddress(prefix: string, tenant: string): string {
  return `${prefix}team/${encodeURIComponent(tenant)}`;
}

export function approvalAddress(prefix: string, id: string): string {
  return `${prefix}approvals/${encodeURIComponent(id)}`;
}

export function modelsAddress(prefix: string, tenant: string): string {
  return `${prefix}models/${encodeURIComponent(tenant)}`;
}

/** The page of one model of a team. */
export function modelAddress(prefix: string, tenant: string, model: string): string {
  return `${modelsAddress(prefix, tenant)}?model=${encodeURIComponent(model)}`;
}

export function pipelinesAddress(prefix: string, tenant: string): string {
  return `${prefix}pipelines/${encodeURIComponent(tenant)}`;
}

export function readHere(prefix: string, path: string): Here {
  const rest = path.startsWith(prefix) ? path.slice(prefix.length) : '';
  const [, page, tenant] = /^(team|models|pipelines)\/([^/]+)$/.exec(rest) ?? [];
  if (page !== undefined && tenant !== undefined) {
    return { page: page as 'team' | 'models' | 'pipelines', tenant: decoded(tenant) };
  }
  const approvals = /^approvals(?:\/([^/]+))?$/.exec(rest);
  if (approvals !== null) {
    return { page: 'approvals', id: approvals[1] === undefined ? null : decoded(approvals[1]) };
  }
  return {
    page: rest === 'platform' || rest === 'teams' || rest === 'notifications' ? rest : 'jobs'
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
