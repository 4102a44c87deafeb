"""Your own tests: predictors, endpoints, and whatever your models must get right."""
