/** Bundles the Jobs page: one script and one style sheet in built/page, and page.json, which names them. */

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import builder from '@jupyter/builder/lib/webpack-plugins.js';
import { rspack } from '@rspack/core';

const here = fileURLToPath(new URL('.', import.meta.url));
const target = `${here}built/page`;
const STYLES = [
  'style/page/page.css',
  'style/base.css',
  'style/log.css',
  'style/page/layout.css',
  'style/page/ledger.css',
  'style/page/models.css'
];

/** The digest in a name is of the content: what is kept under a name never changes. */
function write(name, extension, content) {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 16);
  const file = `${name}.${digest}.${extension}`;
  writeFileSync(`${target}/${file}`, content);
  return file;
}

function bundled() {
  return new Promise((resolve, reject) => {
    const config = {
      mode: 'production',
      context: here,
      entry: './lib/page/main.js',
      devtool: false,
      output: { path: target, filename: 'bundle.js' },
      plugins: [
        new builder.WPPlugin.JSONLicenseWebpackPlugin({
          excludedPackageTest: name => name === '@aifactory/hub'
        })
      ],
      performance: { hints: false }
    };
    rspack(config, (error, stats) => {
      if (error !== null || stats.hasErrors()) {
        reject(error ?? new Error(stats.toString({ all: false, errors: true })));
      } else {
        resolve(readFileSync(`${target}/bundle.js`));
      }
    });
  });
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const script = write('page', 'js', await bundled());
for (const file of readdirSync(target).filter(name => name.startsWith('bundle.'))) {
  rmSync(`${target}/${file}`);
}
const style = write('page', 'css', STYLES.map(name => readFileSync(here + name, 'utf8')).join('\n'));
writeFileSync(`${target}/page.json`, JSON.stringify({ script, style }));
