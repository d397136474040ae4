import description from '../openapi.json';
import { filledIn, formSchema, type OpenApi } from '../src/schema';

test('the form has what the service takes, without what the panel asks in its own way', () => {
  const schema = formSchema(description as unknown as OpenApi);
  const names = Object.keys(schema.properties ?? {});
  expect(names).toEqual(expect.arrayContaining(['name', 'outputs', 'environment', 'max_seconds', 'retries']));
  for (const known of ['command', 'files', 'key', 'tenant', 'profile']) {
    expect(names).not.toContain(known);
  }
});

test('"or null" is an empty field, with its limits and words kept', () => {
  const schema = formSchema(description as unknown as OpenApi);
  expect(schema.properties?.max_seconds).toMatchObject({ type: 'integer', minimum: 1 });
  expect(schema.properties?.max_seconds).not.toHaveProperty('anyOf');
  expect(schema.properties?.max_seconds).not.toHaveProperty('default');
});

test('a field that the service adds is in the form by itself', () => {
  const grown = {
    components: { schemas: { Submission: { properties: { nodes: { type: 'integer', minimum: 1 } } } } }
  };
  expect(formSchema(grown as unknown as OpenApi).properties?.nodes).toEqual({ type: 'integer', minimum: 1 });
  expect(formSchema({ components: { schemas: {} } }).properties).toEqual({});
});

test('what is empty is not sent', () => {
  expect(filledIn({ name: '', outputs: [], environment: {}, retries: 0, max_seconds: undefined })).toEqual({
    retries: 0
  });
});
