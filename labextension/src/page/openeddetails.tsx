/** Details whose content is made, and asks the service, only once somebody opens them. */

import { type JSX, type ReactNode, useState } from 'react';

interface DetailsProps {
  readonly summary: string;
  readonly children: () => ReactNode;
}

export function OpenedDetails({ summary, children }: DetailsProps): JSX.Element {
  const [open, setOpen] = useState(false);
  return (
    <details
      onToggle={event => {
        setOpen(event.currentTarget.open);
      }}
    >
      <summary>{summary}</summary>
      {open ? children() : null}
    </details>
  );
}
