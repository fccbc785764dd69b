class Engine:
    pipeline = "Standin"


def find_engine(name):
    return Engine
