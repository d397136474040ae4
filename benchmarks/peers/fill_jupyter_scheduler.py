"""Fills jupyter-scheduler's database with ended jobs: ``fill_jupyter_scheduler.py URL COUNT``."""

import sys

from jupyter_scheduler.orm import Job, create_session, create_tables

_AT_ONCE = 2000


def main(url: str, count: int) -> None:
    """The same names and times as in our own database."""
    create_tables(url)
    with create_session(url)() as session:
        for start in range(0, count, _AT_ONCE):
            session.bulk_insert_mappings(
                Job,
                [
                    {
                        "runtime_environment_name": "python3",
                        "input_filename": "train.ipynb",
                        "name": "needle" if n % 10_000 == 0 else "train",
                        "output_formats": [],
                        "status": "IN_PROGRESS" if n % 100 == 0 else "COMPLETED",
                        "create_time": 1_700_000_000_000 + n * 1000,
                        "start_time": 1_700_000_000_000 + n * 1000,
                        "end_time": 1_700_000_000_000 + n * 1000,
                    }
                    for n in range(start, min(start + _AT_ONCE, count))
                ],
            )
        session.commit()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
