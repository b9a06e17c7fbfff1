"""What commands share: options, opening bundles and indexes, output, errors."""
