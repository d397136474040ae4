/** From the service's OpenAPI to the JSON Schema of a form: pure. */

import type { JSONSchema7 } from 'json-schema';

type Schema = JSONSchema7 & { readonly $defs?: unknown };

export interface OpenApi {
  readonly paths?: Readonly<Record<string, unknown>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** What the form does not ask for: the panel knows it, or asks in its own way. */
const KNOWN = [
  'command',
  'files',
  'key',
  'tenant',
  'profile',
  'source',
  'sweep',
  'provenance',
  'image',
  'template',
  'parameters',
  'backend',
  'server'
];

/** What of a submission is asked for in the generated part of the form, in the service's own order and words. */
export function formSchema(description: OpenApi, model = 'Submission'): JSONSchema7 {
  const schemas = description.components.schemas;
  const submission = schemas[model];
  const properties: Record<string, JSONSchema7> = {};
  for (const [name, schema] of Object.entries(submission?.properties ?? {})) {
    if (!KNOWN.includes(name) && typeof schema === 'object') {
      const plain = simplify(schema, schemas);
      // A form of a nested object would be a maze; the command line and Python have these.
      if (plain.type !== 'object' || typeof plain.additionalProperties === 'object') {
        properties[name] = plain;
      }
    }
  }
  return { type: 'object', properties };
}

/** Without references and without "or null": a field that is left empty is null. */
function simplify(schema: JSONSchema7, schemas: OpenApi['components']['schemas']): JSONSchema7 {
  if (schema.$ref !== undefined) {
    const found = schemas[schema.$ref.split('/').pop() ?? ''];
    return found === undefined ? {} : simplify({ ...found, ...without(schema, '$ref') }, schemas);
  }
  const choices = schema.anyOf?.filter((choice): choice is JSONSchema7 => typeof choice === 'object');
  const real = choices?.filter(choice => choice.type !== 'null');
  if (choices !== undefined && real?.length === 1 && real[0] !== undefined) {
    const rest = without(schema, 'anyOf');
    if (rest.default === null) {
      delete rest.default;
    }
    return simplify({ ...real[0], ...rest }, schemas);
  }
  return schema;
}

function without(schema: JSONSchema7, name: keyof JSONSchema7): JSONSchema7 {
  const rest = { ...schema };
  // eslint-disable-next-line @typescript-eslint/no-dynamic-delete
  delete rest[name];
  return rest;
}

/** What was filled in: a field that is empty or as it was at first is not sent. */
export function filledIn(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => {
      const empty = value === undefined || value === null || value === '';
      const none = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
      return !empty && !none;
    })
  );
}
