"""What a user has: a robot, a task and a motion of their own. The cookbook goes through it step by step."""
