"""Internal plumbing shared by edgeembed's packages. Not public; may change at any time."""
