"""What people and teams are told besides the pages: gathered, and sent by mail or to a team's chat."""
