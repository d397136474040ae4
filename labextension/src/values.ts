/** Values of a notebook's parameters. */

/** What was typed as a value of the parameter's kind; undefined when it is as in the notebook. Throws for nonsense. */
export function readValue(text: string, original: unknown): unknown {
  if (typeof original === 'string') {
    return text === original ? undefined : text;
  }
  const value: unknown = JSON.parse(text);
  return JSON.stringify(value) === JSON.stringify(original) ? undefined : value;
}
