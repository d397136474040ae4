"""Models on the real cluster: trained, registered, approved, deployed, asked, taken back."""
