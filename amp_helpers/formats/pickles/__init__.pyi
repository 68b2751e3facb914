from .load import load_pickle as load_pickle
