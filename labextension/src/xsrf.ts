/** The proof that a page of this origin asks, which hub and service put into a cookie; undefined without one. */
export function xsrf(): string | undefined {
  return /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1];
}
