"""DICOM: one object, or a folder of slices, to a MedicalImage, without what identifies a person."""
