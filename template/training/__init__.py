"""Training, one module per model: `train(path)` fits and stores it. This folder is yours."""
