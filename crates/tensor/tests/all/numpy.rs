//! Bytes that NumPy 2.4 and the Python package of safetensors 0.8 wrote, read without Python.
