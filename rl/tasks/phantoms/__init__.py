"""The first phantoms, which the toy policy is taught on: pictures, questions, and an expert who answers them."""
