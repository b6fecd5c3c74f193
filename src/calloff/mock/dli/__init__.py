"""Open Telekom Cloud and Huawei Cloud DLI: one behaviour with two rows of data."""
