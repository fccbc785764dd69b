"""Only type-checked: the shapes that users and adapter writers rely on."""
