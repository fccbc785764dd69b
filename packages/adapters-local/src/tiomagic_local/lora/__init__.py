"""LoRA files: what they hold, how trainers name it, and which layers of a model it is for."""
