"""One thread for tensors as small as those of the tests: several would mostly wait for each other."""

import torch

torch.set_num_threads(1)
