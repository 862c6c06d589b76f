"""How each family of models is spoken to and read: template, images, thoughts, tool calls. One family a file."""
