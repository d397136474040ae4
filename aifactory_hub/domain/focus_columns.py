"""The columns of FOCUS (focus.finops.org) that a bill fills, by dataset, and which of them are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

# A cell. None is FOCUS's null: not known, or not applicable.
Cell = str | Decimal | None
Row = Mapping[str, Cell]

COST_AND_USAGE, BILLING_PERIOD, INVOICE_DETAIL = "cost_and_usage", "billing_period", "invoice_detail"
VERSIONS = ("1.4", "1.2")
# How its rows are written.
FORMS = ("csv", "parquet")

# FOCUS lets its users add columns of their own, with this prefix.
_OURS = (
    *("x_User", "x_Kind", "x_Job", "x_Devices", "x_GpuEquivalentSeconds"),
    *("x_Ended", "x_UncertainSeconds", "x_Simulated"),
)
_SHARED = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency"),
    *("BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription"),
    *("ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit"),
    *("ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName"),
    *("ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit"),
    *("ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory"),
    *("SkuId", "SkuMeter", "SkuPriceId", "SkuPriceDetails", "SubAccountId", "SubAccountName"),
)
_ONLY_1_4 = ("HostProviderName", "InvoiceDetailId", "ServiceProviderName")
# The pricing currency is the billing currency, yet the official validator of 1.2 wants its columns.
_ONLY_1_2 = (
    *("PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "ProviderName", "PublisherName"),
)

# The files of each version: their columns in order.
DATASETS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "1.4": {
        COST_AND_USAGE: (*sorted(_SHARED + _ONLY_1_4), *_OURS),
        BILLING_PERIOD: (
            *("BillingPeriodCreated", "BillingPeriodEnd", "BillingPeriodLastUpdated", "BillingPeriodStart"),
            *("BillingPeriodStatus", "InvoiceIssuerName"),
        ),
        INVOICE_DETAIL: (
            *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart"),
            *("ChargeCategory", "InvoiceDetailCreated", "InvoiceDetailDescription", "InvoiceDetailGrain"),
            *("InvoiceDetailId", "InvoiceDetailLastUpdated", "InvoiceId", "InvoiceIssueDate", "InvoiceIssueStatus"),
            *("InvoiceIssuerName", "PaymentDueDate", "PaymentTerms", "ReferenceInvoiceId"),
        ),
    },
    "1.2": {COST_AND_USAGE: (*sorted(_SHARED + _ONLY_1_2), *_OURS)},
}

DECIMALS = frozenset(
    {
        *("BilledCost", "ConsumedQuantity", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost"),
        *("ListUnitPrice", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
        *("PricingCurrencyListUnitPrice", "PricingQuantity", "x_GpuEquivalentSeconds", "x_UncertainSeconds"),
    }
)
