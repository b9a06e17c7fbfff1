"""Students: small models that learn the vectors of a large one."""
