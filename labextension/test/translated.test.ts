/// <reference types="node" />

import { readdirSync, readFileSync } from 'fs';
import { join } from 'path';
import * as ts from 'typescript';

/** Attributes that people see or hear. */
const HEARD = new Set(['title', 'aria-label', 'placeholder', 'alt', 'label']);
const SOURCES = join(__dirname, '..', 'src');

function spoken(node: ts.Node): string | null {
  if (ts.isJsxText(node)) {
    return node.text;
  }
  if (ts.isJsxAttribute(node) && HEARD.has(node.name.getText())) {
    const value = node.initializer;
    return value !== undefined && ts.isStringLiteral(value) ? value.text : null;
  }
  if (ts.isJsxExpression(node) && node.expression !== undefined && ts.isJsxElement(node.parent)) {
    return ts.isStringLiteral(node.expression) ? node.expression.text : null;
  }
  return null;
}

/** The words of a source that go to the page without passing the translator. */
function untranslated(source: string): readonly string[] {
  const found: string[] = [];
  const look = (node: ts.Node): void => {
    const text = spoken(node);
    if (text !== null && /[A-Za-z]{2}/.test(text)) {
      found.push(text.trim());
    }
    ts.forEachChild(node, look);
  };
  look(ts.createSourceFile('view.tsx', source, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TSX));
  return found;
}

/** The views in a folder below the sources. */
function views(folder: string): readonly string[] {
  const names = readdirSync(join(SOURCES, folder)).filter(name => name.endsWith('.tsx'));
  return names.map(name => folder + name);
}

test.each(['', 'page/'].flatMap(views))('%s says nothing untranslated', name => {
  expect(untranslated(readFileSync(join(SOURCES, name), 'utf8'))).toEqual([]);
});

test('what is not translated would be found', () => {
  const bad = '<p title="In English">And here{"too"}<b aria-label={t("no")}>·</b></p>';
  expect(untranslated(`const view = ${bad};`)).toEqual(['In English', 'And here', 'too']);
});
