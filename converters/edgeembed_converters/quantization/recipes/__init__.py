"""The recipes: dynamic int8, static int8, fp16."""
