"""Who may do what: roles, what a privilege can be on, and the statements that exercise it."""
