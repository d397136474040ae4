/** Where am I, what does it cost, and what has my team left. */

import type { JSX } from 'react';
import type { TranslationBundle } from '@jupyterlab/translation';
import { currency, pricePerHour } from './cost';
import { clock, duration, money, shortResource, since } from './format';
import type { Device, Overview } from './types';
import { Usage } from './usageview';
import { useModel, useNow, type ViewProps } from './view';

export function HereView({ model, trans }: ViewProps): JSX.Element {
  useModel(model);
  const now = useNow(30_000);
  const overview = model.overview;
  if (overview === null) {
    return <section className="aif-Here" aria-busy="true" />;
  }
  return (
    <section className="aif-Here" aria-label={trans.__('Where am I')}>
      <Facts overview={overview} now={now} trans={trans} />
      <Left overview={overview} asOf={model.asOf} trans={trans} />
      <Usage usage={overview.here.usage} memory={overview.here.memory} now={now} trans={trans} />
    </section>
  );
}

function Facts({
  overview,
  now,
  trans
}: {
  overview: Overview;
  now: Date;
  trans: TranslationBundle;
}): JSX.Element {
  const { here, quota } = overview;
  const running = since(here.started, now);
  const price = pricePerHour(overview);
  const unit = currency(overview);
  const unknown = trans.__('unknown');
  const rows: [string, string][] = [
    [trans.__('Team'), quota?.display_name ?? here.tenant ?? unknown],
    [trans.__('Profile'), here.profile ?? unknown],
    [trans.__('Running for'), running === null ? unknown : duration(running)]
  ];
  if (price !== null && running !== null) {
    rows.push([
      trans.__('Cost so far'),
      `${money((price * running) / 3600, unit)} (${trans.__('%1 an hour', money(price, unit))})`
    ]);
  }
  if (here.environment !== null) {
    rows.push([trans.__('Environment'), here.environment]);
  }
  return (
    <dl className="aif-Facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd title={value}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Left(props: {
  overview: Overview;
  asOf: Date | null;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { overview, asOf, trans } = props;
  const quota = overview.quota;
  if (quota === null || quota.devices.length === 0) {
    return null;
  }
  // The GPU model is only said where the same slice is cut from several.
  const names = quota.devices.map(device => device.resource);
  const many = new Set(names).size < names.length;
  return (
    <div className="aif-Left">
      <h3>
        {trans.__('Slices left')}
        {asOf === null ? null : <span className="aif-AsOf">{trans.__('as of %1', clock(asOf))}</span>}
      </h3>
      {quota.devices.map(device => (
        <Meter many={many} key={`${device.resource} ${device.flavor}`} device={device} trans={trans} />
      ))}
    </div>
  );
}

function Meter(props: { device: Device; many: boolean; trans: TranslationBundle }): JSX.Element {
  const { device, many, trans } = props;
  const name = many ? `${shortResource(device.resource)} (${device.flavor})` : shortResource(device.resource);
  const left =
    device.used === null
      ? trans.__('use unknown, %1 at most', device.limit)
      : trans.__('%1 of %2 left', Math.max(0, device.limit - device.used), device.limit);
  return (
    <div className="aif-Meter">
      <div className="aif-Meter-words">
        <span>{name}</span>
        <span>{left}</span>
      </div>
      <div
        className="aif-Meter-bar"
        role="meter"
        aria-label={name}
        aria-valuemin={0}
        aria-valuemax={device.limit}
        aria-valuenow={device.used ?? undefined}
        aria-valuetext={left}
      >
        {Array.from({ length: Math.min(device.limit, 24) }, (_, index) => (
          <i key={index} data-taken={device.used === null ? 'unknown' : index < device.used ? 'yes' : 'no'} />
        ))}
      </div>
    </div>
  );
}
