"""The dashboards for Grafana, as code. `make generated` renders them into the chart; see docs/dashboards.md."""
