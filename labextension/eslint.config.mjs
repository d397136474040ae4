import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

export default ts.config(
  js.configs.recommended,
  ...ts.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.test.json' } },
    plugins: { 'react-hooks': hooks },
    rules: {
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      // Numbers in templates are what text for people is made of.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // Lumino's way to name a set of functions is the namespace.
      '@typescript-eslint/no-namespace': 'off'
    }
  },
  { ignores: ['src/openapi.ts'] }
);
