"""What the tests share: answers, renderings, running services and the load on them."""
