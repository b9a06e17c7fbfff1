"""Converters: a trained PyTorch encoder in, a proven bundle out. Needs the extra 'convert'.

Apps import `edgeembed`; nothing is exported here.
"""
