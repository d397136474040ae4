/** The values of a notebook's cell that is tagged "parameters". */

import type { TranslationBundle } from '@jupyterlab/translation';
import { type JSX, useId, useState } from 'react';
import type { Parameter } from './types';
import { readValue } from './values';

interface ParametersProps {
  readonly given: readonly Parameter[];
  readonly values: Readonly<Record<string, unknown>>;
  readonly trans: TranslationBundle;
  readonly change: (values: Readonly<Record<string, unknown>>) => void;
  readonly mark: (name: string, readable: boolean) => void;
}

export function Parameters({ given, values, trans, change, mark }: ParametersProps): JSX.Element {
  if (given.length === 0) {
    return (
      <p className="aif-Hint">
        {trans.__(
          'This notebook has no parameters. Tag the cell that sets them with "parameters" to fill them in here.'
        )}
      </p>
    );
  }
  return (
    <fieldset className="aif-Parameters">
      <legend>{trans.__('Parameters')}</legend>
      {given.map(parameter => (
        <ParameterField
          key={parameter.name}
          parameter={parameter}
          set={values[parameter.name]}
          trans={trans}
          change={value => {
            const rest = Object.fromEntries(
              Object.entries(values).filter(([name]) => name !== parameter.name)
            );
            change(value === undefined ? rest : { ...rest, [parameter.name]: value });
          }}
          mark={readable => {
            mark(parameter.name, readable);
          }}
        />
      ))}
    </fieldset>
  );
}

interface ParameterProps {
  readonly parameter: Parameter;
  /** What it was given before; undefined for the notebook's own value. */
  readonly set: unknown;
  readonly trans: TranslationBundle;
  readonly change: (value: unknown) => void;
  readonly mark: (readable: boolean) => void;
}

function ParameterField({ parameter, set, trans, change, mark }: ParameterProps): JSX.Element {
  const { name, value, about } = parameter;
  const first = set === undefined ? value : set;
  const [text, setText] = useState(typeof first === 'string' ? first : JSON.stringify(first));
  const [bad, setBad] = useState(false);
  const id = useId();
  return (
    <div className="aif-Field">
      <label htmlFor={id}>{name}</label>
      <input
        id={id}
        type="text"
        value={text}
        spellCheck={false}
        aria-invalid={bad}
        aria-describedby={`${id}-about`}
        onChange={event => {
          setText(event.target.value);
          try {
            change(readValue(event.target.value, value));
            setBad(false);
            mark(true);
          } catch {
            setBad(true);
            mark(false);
          }
        }}
      />
      <small id={`${id}-about`}>
        {bad ? trans.__('Write it as JSON, such as 0.1, true, [1, 2] or "text".') : about}
      </small>
    </div>
  );
}
